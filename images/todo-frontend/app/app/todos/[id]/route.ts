import { backend } from "../../../lib/backend";
import { answerForm } from "../../../lib/form";

export async function POST(request: Request, { params }: { params: Promise<{ id: string }> }) {
  const { id } = await params;
  if (!/^\d{1,9}$/.test(id)) return new Response("no such todo\n", { status: 404 });
  return answerForm(request, async (form) => {
    const action = form.get("action");
    if (action === "delete") await backend("DELETE", `/api/todos/${id}`);
    else await backend("PATCH", `/api/todos/${id}`, { done: action === "finish" });
  });
}
