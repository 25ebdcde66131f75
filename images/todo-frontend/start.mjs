// Starts the standalone server. It listens where HOSTNAME says, which a container runtime sets to the pod's own name: nothing
// on the loopback would reach it then. LISTEN says otherwise.
process.env.HOSTNAME = process.env.LISTEN || "0.0.0.0";
process.chdir("/app");
await import("/app/server.js");
