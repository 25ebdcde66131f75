-- The list shows what is open first.
CREATE INDEX todo_open ON todo (id) WHERE done_at IS NULL;
