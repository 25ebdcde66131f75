import { backend } from "../../lib/backend";
import { database } from "../../lib/database";

export const dynamic = "force-dynamic";

/** 200 where a visitor can be served: the database answers Prisma, and the backend is up. What fails is named, without addresses. */
export async function GET() {
  const checks = {
    database: () => database().$queryRaw`SELECT 1`,
    backend: () => backend("GET", "/health"),
  };
  const found = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      try {
        await check();
        return [name, "ok"];
      } catch (error) {
        console.error(`${name}:`, error);
        return [name, "unreachable"];
      }
    }),
  );
  const isReady = found.every(([, state]) => state === "ok");
  return Response.json(Object.fromEntries(found), { status: isReady ? 200 : 503 });
}
