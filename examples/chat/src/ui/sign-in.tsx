import { useState } from "react";
import { signIn } from "../data/session.js";

/** Asks who is there. A product has its own sign-in. */
export function SignIn({ onDone }: { onDone(): void }) {
  const [error, setError] = useState<string>();
  const submit = async (event: React.FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name")).trim();
    try {
      await signIn(name);
      onDone();
    } catch (cause) {
      setError(cause instanceof Error ? cause.message : String(cause));
    }
  };
  return (
    <main className="sign-in">
      <form className="card" onSubmit={(event) => void submit(event)}>
        <img src="/icon.svg" alt="" width="48" height="48" />
        <h1>Scrollback chat</h1>
        <p>Every name is an account of its own. This example asks for no password.</p>
        <label className="field">
          <span>Name</span>
          <input
            name="name"
            autoFocus
            required
            maxLength={64}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            aria-invalid={error !== undefined}
            aria-describedby="sign-in-error"
          />
        </label>
        <p className="error" id="sign-in-error" role="alert">
          {error}
        </p>
        <button type="submit" className="button is-primary is-wide">
          Sign in
        </button>
      </form>
    </main>
  );
}
