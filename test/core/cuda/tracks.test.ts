import assert from "node:assert/strict";
import { chooseTrack, TRACKS, trackDriver, trackSupports, trackToolkit } from "../../../core/cuda/tracks.ts";

describe("CUDA tracks", () => {
  it("name toolkits of the catalogue", () => {
    assert.deepEqual(
      TRACKS.map((track) => trackToolkit(track).version),
      ["11.8", "12.1", "12.4"],
    );
    assert.deepEqual(TRACKS.map(trackDriver), ["450.80.02", "535", "550.54.14"]);
  });

  // Seed 004, risk R1.
  const table: [string | undefined, string, RegExp][] = [
    ["535.54.03", "cu121", /535 or newer/],
    ["580.65.06", "cu121", /535 or newer/],
    ["535", "cu121", /535 or newer/],
    ["530.30.02", "cu118", /older than 535/],
    ["525.147.05", "cu118", /older than 535/],
    ["470.256.02", "cu118", /older than 535/],
    [undefined, "cu121", /not known/],
  ];
  for (const [driver, track, reason] of table)
    it(`driver ${driver}: ${track}, and says why`, () => {
      const choice = chooseTrack({ name: "pc2", driver, card: "8.6" });
      assert.equal(choice.track, track);
      assert.match(choice.reason, reason);
      assert.match(choice.reason, /pc2/);
    });

  it("a card that CUDA 12 dropped gets cu118", () => {
    assert.deepEqual(chooseTrack({ name: "old", driver: "470.256.02", card: "3.7" }), {
      track: "cu118",
      reason: "cu121 no longer compiles for old's card (3.7)",
    });
  });

  it("supports 004's cards on every track, Blackwell on none", () => {
    for (const track of TRACKS) {
      assert.ok(trackSupports(track, "8.9") && trackSupports(track, "8.6"));
      assert.ok(!trackSupports(track, "12.0") && !trackSupports(track, "10.0"));
    }
  });
});
