import { useState } from "react";
import { IconButton } from "./icons.js";

interface VersionSwitchProps {
  versions: readonly string[];
  id: string;
  onSwitch(id: string): Promise<unknown>;
}

/** Goes through the versions of a message: ‹ 2/3 ›. */
export function VersionSwitch({ versions, id, onSwitch }: VersionSwitchProps) {
  const [isBusy, setIsBusy] = useState(false);
  const index = versions.indexOf(id);
  const go = async (version: string | undefined) => {
    if (version === undefined) return;
    setIsBusy(true);
    await onSwitch(version);
    setIsBusy(false);
  };
  return (
    <span className="versions" role="group" aria-label="Versions">
      <IconButton
        icon="left"
        label="Previous version"
        disabled={isBusy || index <= 0}
        onClick={() => void go(versions[index - 1])}
      />
      <span className="versions-count">
        {index + 1}/{versions.length}
      </span>
      <IconButton
        icon="right"
        label="Next version"
        disabled={isBusy || index >= versions.length - 1}
        onClick={() => void go(versions[index + 1])}
      />
    </span>
  );
}
