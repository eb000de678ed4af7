// llama.cpp natively, through node-llama-cpp: the child's side. Plain JavaScript, run where the rivals are installed.
// Arguments: the package's folder, the model's path, the number of threads, or "vulkan" for a GPU.
import { pathToFileURL } from "node:url";

const [folder, modelPath, processor] = process.argv.slice(2);
const onGpu = processor === "vulkan";
const threads = onGpu ? {} : { threads: Number(processor) };
let sequence;
/** Tokens before those that are decoded "at 0": something has to come first. */
const SHALLOW = 8;
const SPARE_TOKENS = 256;

async function open(plan) {
  const { getLlama } = await import(pathToFileURL(`${folder}/dist/index.js`));
  const limits = onGpu ? {} : { maxThreads: Number(processor) };
  const llama = await getLlama({ gpu: onGpu && "vulkan", build: "never", progressLogs: false, ...limits });
  const start = performance.now();
  const model = await llama.loadModel({ modelPath, ...(onGpu && { gpuLayers: "max" }) });
  const contextSize = Math.max(...plan.prefill, ...plan.depths) + SPARE_TOKENS;
  const context = await model.createContext({ contextSize, batchSize: 512, ...threads });
  const loadMs = performance.now() - start;
  sequence = context.getSequence();
  await measure({ prefill: [64], decode: 4, depths: [] });
  return { adapter: onGpu ? "Vulkan" : `CPU, ${processor} threads`, features: [], loadMs };
}

async function measure(plan) {
  const round = { prefill: {}, firstToken: {}, decode: {} };
  for (const tokens of plan.prefill) {
    await sequence.clearHistory();
    const start = performance.now();
    await sequence.evaluateWithoutGeneratingNewTokens(tokenIds(tokens));
    round.prefill[tokens] = (tokens * 1000) / (performance.now() - start);
    round.firstToken[tokens] = (await decode(tokens, 0)).firstToken;
  }
  for (const depth of [0, ...plan.depths])
    round.decode[depth] = (await decode(depth || SHALLOW, plan.decode)).perSecond;
  return round;
}

/** Seconds to the first token, which comes out of the prompt, and then tokens per second. */
async function decode(depth, tokens) {
  await sequence.clearHistory();
  const asked = performance.now();
  let count = -1;
  let start = 0;
  for await (const _ of sequence.evaluate(tokenIds(depth), { temperature: 0, yieldEogToken: true })) {
    if (count === -1) start = performance.now();
    if (++count === tokens) break;
  }
  return { firstToken: (start - asked) / 1000, perSecond: (count * 1000) / (performance.now() - start) };
}

function tokenIds(count) {
  return Array.from({ length: count }, (_, index) => 1000 + ((index * 7919) % 30_000));
}

process.on("message", async ({ id, command, plan }) => {
  try {
    process.send({ id, result: command === "open" ? await open(plan) : await measure(plan) });
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) });
  }
});
process.on("disconnect", () => process.exit());
