import { PrismaPg } from "@prisma/adapter-pg";
import { PrismaClient } from "../generated/prisma/client";

let client: PrismaClient | undefined;

/** One client, and one pool of connections, for the whole process; made at the first query, so that a build needs no database. */
export function database(): PrismaClient {
  const connectionString = process.env.DATABASE_URL;
  if (!connectionString) throw new Error("DATABASE_URL is not set: expected postgresql://user:password@host:5432/todo");
  client ??= new PrismaClient({ adapter: new PrismaPg({ connectionString, connectionTimeoutMillis: 5_000, max: 5 }) });
  return client;
}
