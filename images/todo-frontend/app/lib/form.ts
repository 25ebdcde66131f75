/**
 * A form's answer: back to the list. Browsers say where a form comes from; one of another site is refused.
 * @param act what the form wants done
 */
export async function answerForm(request: Request, act: (form: FormData) => Promise<void>): Promise<Response> {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none")
    return new Response("forms of other sites are not taken\n", { status: 403 });
  try {
    await act(await request.formData());
  } catch (error) {
    console.error(error);
    return new Response("that did not work; the list is as it was\n", { status: 502 });
  }
  // Relative: behind a proxy nobody here knows the name that the browser used.
  return new Response(null, { status: 303, headers: { location: "/" } });
}
