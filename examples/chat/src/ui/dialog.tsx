import { type ReactNode, useEffect, useId, useRef } from "react";

/** A modal dialog. The browser keeps the focus inside, and gives it back. Escape closes it. */
export function Dialog({ title, children, onClose }: { title: string; children: ReactNode; onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const element = dialog.current!;
    element.showModal();
    return () => element.close();
  }, []);
  const closeOnBackdrop = (event: React.MouseEvent) => {
    if (event.target === dialog.current) onClose();
  };
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={titleId} onClose={onClose} onClick={closeOnBackdrop}>
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

/** Asks for a text. */
export function TextDialog(props: {
  title: string;
  label: string;
  hint?: string;
  value: string;
  maxLength: number;
  action: string;
  onClose(): void;
  onSave(value: string): void;
}) {
  const hintId = useId();
  const save = (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    props.onSave(String(new FormData(event.currentTarget).get("value")).trim());
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={save}>
        <label className="field">
          <span>{props.label}</span>
          <input
            name="value"
            defaultValue={props.value}
            maxLength={props.maxLength}
            autoFocus
            autoComplete="off"
            aria-describedby={props.hint ? hintId : undefined}
            onFocus={(event) => event.currentTarget.select()}
          />
        </label>
        {props.hint && (
          <p className="hint" id={hintId}>
            {props.hint}
          </p>
        )}
        <div className="dialog-actions">
          <button type="button" className="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" className="button is-primary">
            {props.action}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** Asks whether something should be done that cannot be undone. */
export function ConfirmDialog(props: {
  title: string;
  text: string;
  action: string;
  onClose(): void;
  onConfirm(): void;
}) {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <p>{props.text}</p>
      <div className="dialog-actions">
        <button type="button" className="button" autoFocus onClick={props.onClose}>
          Cancel
        </button>
        <button type="button" className="button is-dangerous" onClick={props.onConfirm}>
          {props.action}
        </button>
      </div>
    </Dialog>
  );
}
