// llama.cpp natively, through node-llama-cpp: the child's side. Plain JavaScript, run where the rivals are installed.
// Arguments: the package's folder, the model's path, the number of threads.
import { pathToFileURL } from "node:url";

const [folder, modelPath, threads] = process.argv.slice(2);
let sequence;

async function open() {
  const { getLlama } = await import(pathToFileURL(`${folder}/dist/index.js`));
  const llama = await getLlama({ gpu: false, build: "never", progressLogs: false, maxThreads: Number(threads) });
  const start = performance.now();
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: Number(threads) });
  const loadMs = performance.now() - start;
  sequence = context.getSequence();
  await measure({ prefill: [64], decode: 4 });
  return { adapter: `CPU, ${threads} threads`, features: [], loadMs };
}

async function measure(plan) {
  const prefill = [];
  for (const tokens of plan.prefill) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(tokenIds(tokens));
    prefill.push({ tokens, perSecond: (tokens * 1000) / (performance.now() - start) });
  }
  await sequence.clearHistory();
  let count = -1; // the first token comes out of the prompt
  let start = 0;
  for await (const _ of sequence.evaluate(tokenIds(8), { temperature: 0, yieldEogToken: true })) {
    if (count === -1) start = performance.now();
    if (++count === plan.decode) break;
  }
  return { prefill, decodePerSecond: (count * 1000) / (performance.now() - start) };
}

function tokenIds(count) {
  return Array.from({ length: count }, (_, index) => 1000 + ((index * 7919) % 30_000));
}

process.on("message", async ({ id, command, plan }) => {
  try {
    process.send({ id, result: command === "open" ? await open() : await measure(plan) });
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) });
  }
});
process.on("disconnect", () => process.exit());
