import type { Upload, Uploads } from "../data/uploads.js";
import { formatBytes } from "./format.js";
import { Icon, IconButton } from "./icons.js";

/** The files for the next message, and how far they are. */
export function ChosenFiles({ uploads, files }: { uploads: Uploads; files: readonly Upload[] }) {
  if (!files.length) return null;
  return (
    <ul className="chosen-files" aria-label="Chosen files">
      {files.map((upload) => {
        const { id, file, status, preview, progress } = upload;
        const isRunning = status === "hashing" || status === "uploading";
        return (
          <li key={id} className={`chosen-file is-${status}`} data-status={status}>
            {preview ? <img src={preview} alt="" width="36" height="36" /> : <Icon name="file" />}
            <span>
              <span className="file-name">{file.name}</span>
              <span className="file-about">{about(upload)}</span>
            </span>
            {status === "failed" && <IconButton icon="again" label={`Send ${file.name} again`} onClick={() => uploads.retry(id)} />}
            <IconButton icon="close" label={`Remove ${file.name}`} onClick={() => void uploads.remove(id)} />
            {isRunning && <progress aria-label={`Progress of ${file.name}`} value={progress} max={1} />}
          </li>
        );
      })}
    </ul>
  );
}

function about({ file, status, progress, error }: Upload): string {
  const size = formatBytes(file.size);
  const percent = `${Math.floor(progress * 100)}%`;
  if (status === "failed") return error ?? "failed";
  if (status === "hashing") return `${size} · checking ${percent}`;
  return status === "uploading" ? `${size} · sending ${percent}` : size;
}
