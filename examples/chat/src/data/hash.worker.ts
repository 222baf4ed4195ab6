import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const PIECE_BYTES = 4 * 1024 * 1024;

self.onmessage = async ({ data: file }: MessageEvent<File>) => {
  try {
    const hash = sha256.create();
    for (let offset = 0; offset < file.size; offset += PIECE_BYTES) {
      const piece = await file.slice(offset, offset + PIECE_BYTES).arrayBuffer();
      hash.update(new Uint8Array(piece));
      self.postMessage({ progress: Math.min(1, (offset + PIECE_BYTES) / file.size) });
    }
    self.postMessage({ sha256: bytesToHex(hash.digest()) });
  } catch (error) {
    self.postMessage({ error: `The file could not be read: ${String(error)}` });
  }
};
