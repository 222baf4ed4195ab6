/** The SHA-256 of a file in hexadecimal. It is computed in a worker, piece by piece, so the page stays responsive. */
export function hashFile(file: File, signal: AbortSignal, onProgress: (progress: number) => void): Promise<string> {
  const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
  return new Promise<string>((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    worker.onerror = (event) => reject(new Error(event.message || "the file could not be read"));
    worker.onmessage = ({ data }: MessageEvent<{ progress: number } | { sha256: string } | { error: string }>) => {
      if ("progress" in data) onProgress(data.progress);
      else if ("sha256" in data) resolve(data.sha256);
      else reject(new Error(data.error));
    };
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
