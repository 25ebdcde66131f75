import assert from "node:assert/strict";
import type { Readiness } from "../../../core/kubernetes/readiness.ts";
import { type Patience, releaseTroubles } from "../../../core/kubernetes/release.ts";
import type { Trouble } from "../../../core/kubernetes/trouble.ts";

const trouble = (over: Partial<Trouble>): Trouble => ({
  ...{ verdict: "fatal", where: "pod a, container migration", reason: "CrashLoopBackOff", message: "" },
  ...{ cause: "it ends", command: "kubectl logs a", log: [] },
  ...over,
});
const judged = (verdict: Readiness["verdict"], ...troubles: Trouble[]): Readiness => ({
  verdict,
  troubles,
  progress: "",
});

describe("what keeps a release", () => {
  const init = (initRestarts: number) => judged("fatal", trouble({ initRestarts }));
  const crash = judged("fatal", trouble({ where: "pod a, container app" }));
  const starting = judged("wait");
  const ready = judged("done");
  const count = (looks: readonly (readonly Readiness[])[]) => {
    const patience: Patience = new Map();
    return looks.map((look) => releaseTroubles(look, patience).length);
  };

  it("is a crash, also while another workload gets ready", () => {
    assert.deepEqual(count([[crash, starting]]), [1]);
    assert.deepEqual(count([[judged("fatal", trouble({ initRestarts: 1 }), trouble({})), starting]]), [2]);
  });
  it("is no init container that may wait for another workload", () => {
    assert.deepEqual(count([[init(1), starting]]), [0]);
    assert.deepEqual(count([[init(1), ready]]), [1]);
    assert.deepEqual(count([[init(1), init(1)]]), [2], "nothing else is on its way");
  });
  it("is one that goes on crashing when the others are ready", () => {
    const looks = [
      [init(2), starting],
      [init(2), ready],
      [init(3), ready],
      [init(4), ready],
    ];
    assert.deepEqual(count(looks), [0, 0, 0, 1]);
  });
});
