CREATE TABLE todo (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL CHECK (title <> '' AND length(title) <= 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz
);
