import type { ErrorCode } from "./errors.js";
import type { AppendMessageInput } from "./generated/operations.js";

/** A message that waits to be sent. */
export interface OutboxEntry {
  /** The message with its id. */
  message: AppendMessageInput & { id: string };
  /** Entries of a conversation are sent in this order. */
  sequence: number;
  /** Why the message cannot be sent. Without an error it is pending. */
  error?: { code: ErrorCode; message: string };
}

/** Where an outbox keeps its entries. The key of an entry is the id of its message. */
export interface OutboxStorage {
  /** All entries, in any order. */
  load(): Promise<OutboxEntry[]>;
  /** Adds an entry, or replaces the one with the same id. Resolves when the entry is durable. */
  save(entry: OutboxEntry): Promise<void>;
  /** Removes an entry, if it is there. */
  remove(id: string): Promise<void>;
}

/** Entries in memory: they do not survive a reload. */
export function memoryStorage(): OutboxStorage {
  const entries = new Map<string, OutboxEntry>();
  return {
    load: async () => [...entries.values()],
    save: async (entry) => void entries.set(entry.message.id, entry),
    remove: async (id) => void entries.delete(id),
  };
}

/** Entries in `localStorage`, or anything like it. Its size is a few megabytes. `prefix` should contain the user. */
export function webStorage(
  storage: Pick<Storage, "length" | "key" | "getItem" | "setItem" | "removeItem">,
  prefix: string,
): OutboxStorage {
  return {
    async load() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index));
      const values = keys.filter((key) => key?.startsWith(prefix)).map((key) => storage.getItem(key as string));
      return values.flatMap((value) => (value === null ? [] : [JSON.parse(value) as OutboxEntry]));
    },
    save: async (entry) => storage.setItem(prefix + entry.message.id, JSON.stringify(entry)),
    remove: async (id) => storage.removeItem(prefix + id),
  };
}

/** Entries in IndexedDB. `name` is that of the database and should contain the user. */
export function indexedDbStorage(name: string): OutboxStorage {
  const STORE = "entries";
  let database: Promise<IDBDatabase> | undefined;
  const open = () =>
    (database ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "message.id" });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    }).catch((error: unknown) => {
      database = undefined;
      throw error;
    }));
  const run = async <T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    const transaction = (await open()).transaction(STORE, mode);
    return new Promise<T>((resolve, reject) => {
      const request = use(transaction.objectStore(STORE));
      // The entry is durable when the transaction is, not when the request is.
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error);
    });
  };
  return {
    load: () => run("readonly", (store) => store.getAll() as IDBRequest<OutboxEntry[]>),
    save: async (entry) => void (await run("readwrite", (store) => store.put(entry))),
    remove: async (id) => void (await run("readwrite", (store) => store.delete(id))),
  };
}
