// For HEALTHCHECK: exits with 0 where the server answers /health.
const answer = await fetch(`http://127.0.0.1:${process.env.PORT || 3000}${process.env.HEALTH_PATH || "/health"}`, {
  signal: AbortSignal.timeout(4000),
}).catch((error) => ({ ok: false, status: error.message }));
if (!answer.ok) {
  console.error(`unhealthy: ${answer.status}`);
  process.exit(1);
}
