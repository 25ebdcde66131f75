import { sessionCommand, shellWord } from "../../../core/host/session.ts";
import type { HostUnderTest, Said } from "../lab-host.ts";

/** bash reads this before the program's first line: it stops at the first command that looks like HOLD_AT, until told to go on. */
const HOLD = `
case $0 in */keelson-host) ;; *) return 0 ;; esac
hold() {
  [[ $1 == $HOLD_AT && ! -e $HOLD_IN/held ]] || return 0
  ps -o pgid= "$$" >"$HOLD_IN/held"
  until [ -e "$HOLD_IN/go" ]; do sleep 0.05; done
}
set -o functrace
trap 'hold "$BASH_COMMAND"' DEBUG
`;

/** A deploy that stands still at one of its program's commands. */
export interface Held {
  /** Its ssh connection breaks; the program may go on. @param then what is run behind that. */
  cut(then: string, input: string): Promise<Said>;
  /** The program and all that it started die at once. */
  kill(then: string, input: string): Promise<Said>;
  /** It goes on, its connection whole. @returns what it said. */
  release(): Promise<Said>;
}

/** Starts `apply` and holds it. @param at a command of the program, as a pattern of bash. @example holdAt(vps, "drain *", input) */
export async function holdAt(vps: HostUnderTest, at: string, input: string): Promise<Held> {
  const folder = `/run/hold-${vps.app}`;
  const prepare = `rm -rf ${folder} && mkdir ${folder} && cat >${folder}/env`;
  await vps.run(prepare, HOLD);
  const environment = `export BASH_ENV=${folder}/env HOLD_IN=${folder} HOLD_AT=${shellWord(at)}`;
  const session = vps.ssh(`${environment}; ${sessionCommand("apply", vps.app)}`, input);
  const { code } = await vps.run(`for i in $(seq 600); do [ ! -s ${folder}/held ] || exit 0; sleep 0.05; done; exit 1`);
  const go = `touch ${folder}/go`;
  if (code !== 0) {
    session.kill("SIGKILL");
    throw new Error(`the deploy never came to "${at}": ${(await session).all}`);
  }
  return {
    cut: async (then, more) => {
      session.kill("SIGKILL");
      await session;
      return vps.run(`${go}; ${then}`, more);
    },
    kill: async (then, more) => {
      const said = vps.run(`kill -KILL -- -$(tr -d ' ' <${folder}/held); ${then}`, more);
      await session;
      return said;
    },
    release: async () => {
      await vps.run(go);
      const { exitCode, all } = await session;
      return { code: exitCode, text: all };
    },
  };
}
