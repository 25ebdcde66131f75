//! What weft answers, as a WebAssembly component.

wit_bindgen::generate!({
    inline: "
        package keelson:weft;
        world weft {
            export config-init: func() -> string;
            export answer: func(path: string) -> tuple<u16, string>;
        }
    ",
});

struct Weft;

impl Guest for Weft {
    fn config_init() -> String {
        "{\"listen\":\"0.0.0.0:8080\",\"drainSeconds\":9}".into()
    }
    fn answer(path: String) -> (u16, String) {
        match path.as_str() {
            "/health" => (200, "{\"status\":\"ok\"}".into()),
            _ => (404, format!("{path} is not here")),
        }
    }
}

export!(Weft);
