/** The key under which Pulumi marks what a value is, on the wire and in a state (sdk/go/common/resource/sig). */
export const SIGNATURE = "4dabf18193072939515e22adb298388d";
/** What stands there of a secret. */
export const SECRET = "1b47061264138c4ac30d75fd1eb44270";
