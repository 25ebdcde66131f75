import { backend } from "../../lib/backend";
import { answerForm } from "../../lib/form";

export const POST = (request: Request) =>
  answerForm(request, async (form) => {
    await backend("POST", "/api/todos", { title: String(form.get("title") ?? "") });
  });
