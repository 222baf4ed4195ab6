import { useEffect, useRef, useState } from "react";

interface EditFormProps {
  text: string;
  onCancel(): void;
  onSave(text: string): Promise<void>;
}

/** Edits a question. The old version stays, with its answers. */
export function EditForm({ text, onCancel, onSave }: EditFormProps) {
  const [value, setValue] = useState(text);
  const [isBusy, setIsBusy] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.setSelectionRange(text.length, text.length);
  }, [text]);
  const save = async () => {
    if (!value.trim() || isBusy) return;
    setIsBusy(true);
    await onSave(value);
    setIsBusy(false);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    if (event.key === "Escape") onCancel();
    else if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) void save();
    else return;
    event.preventDefault();
  };
  return (
    <form className="edit" onSubmit={(event) => (event.preventDefault(), void save())}>
      <textarea
        ref={field}
        aria-label="Edit the question"
        value={value}
        rows={1}
        onChange={(event) => setValue(event.target.value)}
        onKeyDown={onKeyDown}
      />
      <div className="edit-actions">
        <button type="button" className="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" className="button is-primary" disabled={!value.trim() || isBusy}>
          Send
        </button>
      </div>
    </form>
  );
}
