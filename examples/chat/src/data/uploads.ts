import { type ScrollbackClient, newId } from "scrollback-client";
import { hashFile } from "./hash.js";
import { Store } from "./store.js";

/** A file that was chosen for the next message. */
export interface Upload {
  id: string;
  file: File;
  status: "hashing" | "uploading" | "ready" | "failed";
  /** From 0 to 1. */
  progress: number;
  error?: string;
  /** A local URL of a picture. */
  preview?: string;
  /** Width and height of a picture. */
  size?: readonly [number, number] | undefined;
}

interface Target {
  url: string;
  method: string;
  headers: { name: string; value: string }[];
}

const CREATE = `mutation ($input: CreateAttachmentInput!) {
  createAttachment(input: $input) { upload { url method headers { name value } } }
}`;
const DELETE = "mutation ($id: ID!) { deleteAttachment(input: { id: $id }) { deletedAttachmentId } }";
const PART_BYTES = 8 * 1024 * 1024;
const ATTEMPTS = 8;

/** The files for the next message. Each is sent in parts, and goes on after an interruption. */
export class Uploads {
  readonly state = new Store<readonly Upload[]>([]);
  readonly #client: ScrollbackClient;
  readonly #server: string;
  readonly #running = new Map<string, AbortController>();

  constructor(client: ScrollbackClient, server: string) {
    this.#client = client;
    this.#server = server;
  }

  add(files: Iterable<File>): void {
    for (const file of files) {
      const upload: Upload = { id: newId(), file, status: "hashing", progress: 0 };
      if (isPicture(file)) upload.preview = URL.createObjectURL(file);
      this.state.set([...this.state.value, upload]);
      void this.#run(upload);
    }
  }

  retry(id: string): void {
    const upload = this.state.value.find((one) => one.id === id);
    if (upload) void this.#run(upload);
  }

  async remove(id: string): Promise<void> {
    this.#running.get(id)?.abort();
    this.#drop(id);
    // If this fails, the server deletes it after a day.
    await this.#client.query(DELETE, { id }, { idempotent: true }).catch(() => {});
  }

  /** Takes the files that are ready, for a message. */
  take(): Upload[] {
    const ready = this.state.value.filter(({ status }) => status === "ready");
    for (const { id } of ready) this.#drop(id);
    return ready;
  }

  #drop(id: string): void {
    const upload = this.state.value.find((one) => one.id === id);
    if (upload?.preview) URL.revokeObjectURL(upload.preview);
    this.state.set(this.state.value.filter((one) => one.id !== id));
  }

  #update(id: string, change: Partial<Upload>): void {
    this.state.set(this.state.value.map((one) => (one.id === id ? { ...one, ...change } : one)));
  }

  async #run({ id, file }: Upload): Promise<void> {
    const controller = new AbortController();
    this.#running.set(id, controller);
    const { signal } = controller;
    try {
      this.#update(id, { status: "hashing", progress: 0 });
      const [sha256, size] = await Promise.all([
        hashFile(file, signal, (progress) => this.#update(id, { progress })),
        isPicture(file) ? pictureSize(file) : undefined,
      ]);
      this.#update(id, { status: "uploading", progress: 0, size });
      const mediaType = file.type || "application/octet-stream";
      const input = { id, filename: file.name, mediaType, byteSize: file.size, sha256 };
      const options = { idempotent: true, signal };
      type Created = { createAttachment: { upload: Target | null } };
      const { createAttachment } = await this.#client.query<Created>(CREATE, { input }, options);
      // Without a target the server has the file already.
      if (createAttachment.upload) await this.#send(id, file, createAttachment.upload, signal);
      this.#update(id, { status: "ready", progress: 1 });
    } catch (error) {
      if (signal.aborted) return;
      this.#update(id, { status: "failed", error: error instanceof Error ? error.message : String(error) });
    } finally {
      this.#running.delete(id);
    }
  }

  async #send(id: string, file: File, target: Target, signal: AbortSignal): Promise<void> {
    const url = new URL(target.url, this.#server);
    const headers = target.headers.map(({ name, value }) => [name, value] as [string, string]);
    let offset = 0;
    let failures = 0;
    while (offset < file.size) {
      const end = Math.min(offset + PART_BYTES, file.size);
      const range: [string, string] = ["Content-Range", `bytes ${offset}-${end - 1}/${file.size}`];
      try {
        const body = file.slice(offset, end);
        const response = await fetch(url, { method: target.method, headers: [...headers, range], body, signal });
        const canContinue = response.ok || [408, 409, 429].includes(response.status) || response.status >= 500;
        if (!canContinue) throw new UploadError(await errorText(response));
        if (response.status === 200) return;
        if (!response.ok) throw new Error(`status ${response.status}`);
        offset = Number(response.headers.get("upload-offset") ?? end);
        failures = 0;
        this.#update(id, { progress: offset / file.size });
      } catch (error) {
        if (signal.aborted || error instanceof UploadError || ++failures >= ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 250 * 2 ** failures));
        // What arrived is kept: the server says where to go on.
        const state = await fetch(url, { method: "HEAD", signal }).catch(() => undefined);
        offset = Number(state?.headers.get("upload-offset") ?? offset);
      }
    }
  }
}

/** An error that another attempt does not change. */
class UploadError extends Error {}

async function errorText(response: Response): Promise<string> {
  const body = (await response.json().catch(() => ({}))) as { error?: string };
  return body.error ?? `The server answered with status ${response.status}.`;
}

function isPicture(file: File): boolean {
  return /^image\/(png|jpeg|gif|webp|avif)$/.test(file.type);
}

async function pictureSize(file: File): Promise<readonly [number, number] | undefined> {
  const picture = await createImageBitmap(file).catch(() => undefined);
  return picture && [picture.width, picture.height];
}
