import type { MessagePart, ScrollbackClient } from "scrollback-client";
import { useRef, useState } from "react";
import { Icon } from "./icons.js";
import { formatBytes } from "./format.js";

type FilePart = Extract<MessagePart, { __typename: "FilePart" }>;

interface FileViewProps {
  part: FilePart;
  messageId: string;
  client: ScrollbackClient;
  serverUrl: string;
  size: readonly [number, number] | undefined;
}

/** Links are valid for 15 minutes at least. */
const FRESH_MS = 10 * 60_000;

/** A picture, or a card with a link. */
export function FileView({ part, messageId, client, serverUrl, size }: FileViewProps) {
  const [url, setUrl] = useState(part.attachment?.downloadUrl ?? undefined);
  const [isBroken, setIsBroken] = useState(false);
  const fetchedAt = useRef(Date.now());
  const name = part.filename ?? part.attachment?.filename ?? "file";
  const address = url === undefined ? undefined : new URL(url, serverUrl).href;

  /** Gets another link. */
  const renew = async (): Promise<string | undefined> => {
    const message = await client.message(messageId);
    const same = message?.parts.find((one) => one.__typename === "FilePart" && one.url === part.url) as FilePart | undefined;
    const fresh = same?.attachment?.downloadUrl ?? undefined;
    fetchedAt.current = Date.now();
    setUrl(fresh);
    return fresh === undefined ? undefined : new URL(fresh, serverUrl).href;
  };
  const onClick = (event: React.MouseEvent) => {
    if (Date.now() - fetchedAt.current < FRESH_MS) return;
    event.preventDefault();
    void renew().then((fresh) => fresh && location.assign(fresh), () => {});
  };
  const onError = () => {
    if (isBroken) return;
    setIsBroken(true);
    if (Date.now() - fetchedAt.current < FRESH_MS) return;
    void renew().then(() => setIsBroken(false), () => {});
  };

  if (/^image\//.test(part.mediaType) && address && !isBroken) {
    const [width, height] = size ?? [];
    return (
      <a href={address} download={name} onClick={onClick} aria-label={`Download ${name}`} className="picture">
        <img src={address} alt={name} width={width} height={height} onError={onError} decoding="async" />
      </a>
    );
  }
  const about = [part.mediaType, part.attachment && formatBytes(part.attachment.byteSize)].filter(Boolean).join(" · ");
  return (
    <a href={address} download={name} onClick={onClick} className="file">
      <Icon name="file" />
      <span>
        <span className="file-name">{name}</span>
        <span className="file-about">{about}</span>
      </span>
    </a>
  );
}
