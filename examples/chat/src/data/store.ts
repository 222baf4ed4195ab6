import { useSyncExternalStore } from "react";

/** A value that components follow. */
export class Store<S> {
  #value: S;
  readonly #listeners = new Set<() => void>();

  constructor(value: S) {
    this.#value = value;
  }

  get value(): S {
    return this.#value;
  }

  set(value: S): void {
    this.#value = value;
    for (const listener of [...this.#listeners]) listener();
  }

  update(change: Partial<S>): void {
    this.set({ ...this.#value, ...change });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly read = (): S => this.#value;
}

/** The value of a store, and each one that follows. */
export function useStore<S>(store: Store<S>): S {
  return useSyncExternalStore(store.subscribe, store.read);
}
