import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import ssh2, { type AuthContext, type Connection as ServerSide } from "ssh2";
import { connection } from "../../../../plugins/command/remote/connection.ts";
import { dial } from "../../../../plugins/command/remote/dial.ts";

const keys = ssh2.utils.generateKeyPairSync("rsa", { bits: 2048 });

/** Logins that OpenSSH's server can't be told to ask for in a test, and servers that misbehave. */
describe("dial", () => {
  let close: (() => void)[];
  beforeEach(() => {
    close = [];
  });
  afterEach(() => {
    for (const each of close) each();
  });

  const listening = async (server: Server | ssh2.Server): Promise<number> => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return address.port;
  };
  const serve = async (judge: (context: AuthContext) => void): Promise<number> => {
    const clients: ServerSide[] = [];
    const server = new ssh2.Server({ hostKeys: [keys.private] }, (client) => {
      clients.push(client);
      client.on("authentication", judge).on("error", () => {});
    });
    close.push(() => {
      for (const client of clients) client.end();
      server.close();
    });
    return await listening(server);
  };
  const login = async (port: number, more: object, signal = new AbortController().signal) => {
    const said: string[] = [];
    const input = { host: "127.0.0.1", port, dialErrorLimit: 0, perDialTimeout: 15, ...more };
    await using _dialled = await dial(connection.parse(input), {
      agent: undefined,
      signal,
      say: (line) => said.push(line),
    });
    return said;
  };
  const only =
    (method: string, right: (context: AuthContext) => boolean) =>
    (context: AuthContext): void => {
      if (context.method === method && right(context)) context.accept();
      else context.reject([method as "password"]);
    };

  it("logs in by a password", async () => {
    const port = await serve(only("password", (c) => c.method === "password" && c.password === "canary"));
    await login(port, { password: "canary" });
    await assert.rejects(
      login(port, { password: "wrong" }),
      /^CommandFailure: after 0 failed attempts: .*attempted methods \[none password\]/,
    );
  });

  it("answers a server that asks for the password in words", async () => {
    const port = await serve((context) => {
      if (context.method !== "keyboard-interactive") return context.reject(["keyboard-interactive"]);
      context.prompt([{ prompt: "Password: ", echo: false }], (answers) =>
        answers[0] === "canary" ? context.accept() : context.reject(),
      );
    });
    await login(port, { password: "canary" });
  });

  it("needs no login where the server asks for none", async () => {
    await login(await serve((context) => context.accept()), {});
  });

  it("pins an RSA key, whichever way it signs", async () => {
    const port = await serve((context) => context.accept());
    await login(port, { hostKey: `# the host's\n${keys.public}` });
  });

  it("gives up a server that does not greet, in the time it may take", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    close.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const port = await listening(server);
    await assert.rejects(login(port, { perDialTimeout: 0.2 }), /after 0 failed attempts: dial tcp .*: i\/o timeout/);
  });

  it("tries again where the server hangs up", async () => {
    let times = 0;
    const ssh = await serve((context) => context.accept());
    const server = createServer((socket) => {
      if (times++ < 2) return socket.destroy();
      const onward = new (socket.constructor as typeof Socket)().connect(ssh, "127.0.0.1");
      close.push(() => onward.destroy());
      socket.on("error", () => {});
      return socket.pipe(onward.on("error", () => {})).pipe(socket);
    });
    close.push(() => server.close());
    assert.deepEqual(await login(await listening(server), { dialErrorLimit: 5 }), [
      "Dial 1/5 failed: retrying",
      "Dial 2/5 failed: retrying",
    ]);
  });

  it("ends at once when the run is cancelled", async () => {
    const aborted = new AbortController();
    const server = createServer(() => aborted.abort(new Error("cancelled")));
    close.push(() => server.close());
    await assert.rejects(login(await listening(server), { perDialTimeout: 0 }, aborted.signal), /cancelled/);
  });
});
