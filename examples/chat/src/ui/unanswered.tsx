import { useEffect, useState } from "react";

/** After this time without an answer, it can be asked for again. */
const PATIENCE_MS = 8_000;

/** Stands below a question until its answer begins. */
export function Unanswered({ askedAt, onAsk }: { askedAt: string; onAsk(): void }) {
  const [isLate, setIsLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsLate(true), Math.max(0, Date.parse(askedAt) + PATIENCE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [askedAt]);
  const ask = () => {
    setIsLate(false);
    onAsk();
  };
  return (
    <div className="unanswered">
      {isLate ? (
        <button type="button" className="button" onClick={ask}>
          Get an answer
        </button>
      ) : (
        <span className="thinking" role="status" aria-label="Waiting for the answer">
          <span />
          <span />
          <span />
        </span>
      )}
    </div>
  );
}
