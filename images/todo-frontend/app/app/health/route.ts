/** The process serves; whatever it needs may be away. */
export const GET = () => Response.json({ status: "ok" });
export const dynamic = "force-dynamic";
