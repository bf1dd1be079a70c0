/** Listeners of one kind of event. A listener that throws is the listener's fault and must not stop a sync. */
export interface Emitter<Event> {
  on (listener: (event: Event) => void): () => void
  emit (event: Event): void
}

export function createEmitter<Event> (onListenerError: (error: unknown) => void): Emitter<Event> {
  const listeners = new Set<(event: Event) => void>()
  return {
    on (listener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    },
    emit (event) {
      for (const listener of listeners) {
        try { listener(event) } catch (error) { onListenerError(error) }
      }
    }
  }
}
