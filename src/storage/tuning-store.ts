// Where measured choices of kernels are kept between visits: IndexedDB in a browser, a file in Node (scripts/tuning-file.ts).

/** Either may reject; whoever asks takes that for a miss. */
export interface TuningStore {
  /** What was kept under the key, unchecked; undefined when there is nothing. */
  read(key: string): Promise<unknown>;
  write(key: string, value: unknown): Promise<void>;
}

/** An adapter and a browser's version make one key: what is kept of old ones is dropped beyond so many. */
export const MAX_KEPT_KEYS = 8;

const DATABASE = "ingle-tuning";
const TABLE = "choices";

/** @param factory absent where a browser keeps nothing: then all is a miss */
export function indexedDbTuningStore(factory: IDBFactory | undefined): TuningStore {
  return {
    read: (key) => withTable(factory, "readonly", (table) => table.get(key)),
    async write(key, value) {
      const count = await withTable(factory, "readonly", (table) => table.count());
      if (count >= MAX_KEPT_KEYS) await withTable(factory, "readwrite", (table) => table.clear());
      await withTable(factory, "readwrite", (table) => table.put(value, key));
    },
  };
}

async function withTable<Value>(
  factory: IDBFactory | undefined,
  mode: IDBTransactionMode,
  ask: (table: IDBObjectStore) => IDBRequest<Value>,
): Promise<Value> {
  if (!factory) throw new Error("there is no IndexedDB here");
  const opening = factory.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(TABLE);
  const database = await settled(opening);
  try {
    return await settled(ask(database.transaction(TABLE, mode).objectStore(TABLE)));
  } finally {
    database.close(); // once its transactions have ended
  }
}

function settled<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
