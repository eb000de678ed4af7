// A million seeded draws on the GPU beside the CPU sampler's: over every setting, kind of logits and some vocabularies.
//   npm run draws -- [lavapipe|swiftshader|NAME [COUNT]]
import { openDawn } from "../../scripts/dawn.ts";
import { openDevice } from "../../src/gpu/device.ts";
import { createSampler } from "../../src/sampling/sampler.ts";
import { LOGITS, openSampleBench, ROWS, SETTINGS, sampleCase } from "../gpu/sampling-cases.ts";

const VOCABULARIES = [259, 777, 1024, 1500];
const KINDS = Object.entries(LOGITS);
const COUNT = 1_000_000;
const REPORT_EVERY = 50_000;

export async function main([adapter, count = String(COUNT)]: string[]): Promise<void> {
  const dawn = await openDawn(adapter === undefined ? {} : { adapter });
  const device = await openDevice(dawn.gpu);
  const benches = await Promise.all(VOCABULARIES.map((vocabSize) => openSampleBench(device, vocabSize)));
  const judges = VOCABULARIES.map(createSampler);
  let drawn = 0;
  let differing = 0;
  let reported = 0;
  for (let turn = 0; drawn < Number(count); turn++) {
    const size = turn % VOCABULARIES.length;
    const [kind, make] = KINDS[Math.floor(turn / VOCABULARIES.length) % KINDS.length]!;
    const logits = make(VOCABULARIES[size]!, turn);
    for (let from = 0; from < SETTINGS.length * ROWS; from += ROWS) {
      const settings = SETTINGS[from / ROWS]!;
      const cases = Array.from({ length: ROWS }, () => sampleCase(logits, settings, drawn++));
      const results = await benches[size]!.sample(cases);
      cases.forEach(({ plan, history }, index) => {
        const { token } = judges[size]!.sample(logits, plan, history);
        if (results[index]!.token === token) return;
        differing++;
        console.log(
          `${kind} of ${VOCABULARIES[size]}, ${JSON.stringify(settings)}: ${results[index]!.token}, not ${token}`,
        );
      });
    }
    if (drawn - reported >= REPORT_EVERY) {
      reported = drawn;
      console.log(`${dawn.name}: ${drawn} draws, ${differing} differ`);
    }
  }
  console.log(`${dawn.name}: ${drawn} draws, ${differing} differ`);
  for (const bench of benches) bench.dispose();
  device.dispose();
}
