import { database } from "../lib/database";

/** Read at each request: no list is part of the build. */
export const dynamic = "force-dynamic";

export default async function Page() {
  const todos = await database().todo.findMany({
    orderBy: [{ doneAt: { sort: "desc", nulls: "first" } }, { id: "asc" }],
  });
  const open = todos.filter((todo) => todo.doneAt === null).length;
  return (
    <main>
      <h1>Todos</h1>
      <form method="post" action="/todos" style={{ display: "flex", gap: "0.5rem" }}>
        <input name="title" aria-label="What is to be done" required maxLength={200} style={{ flex: 1 }} />
        <button type="submit">Add</button>
      </form>
      <p>{open === 0 ? "Nothing is left to do." : `${open} to do`}</p>
      <ul style={{ listStyle: "none", padding: 0 }}>
        {todos.map((todo) => (
          <li key={todo.id} data-id={todo.id} data-done={todo.doneAt !== null}>
            <form method="post" action={`/todos/${todo.id}`} style={{ display: "flex", gap: "0.5rem" }}>
              <span style={{ flex: 1, textDecoration: todo.doneAt === null ? "none" : "line-through" }}>
                {todo.title}
              </span>
              <button type="submit" name="action" value={todo.doneAt === null ? "finish" : "reopen"}>
                {todo.doneAt === null ? "Done" : "Again"}
              </button>
              <button type="submit" name="action" value="delete" aria-label={`Delete ${todo.title}`}>
                Delete
              </button>
            </form>
          </li>
        ))}
      </ul>
    </main>
  );
}
