import { useCallback, useEffect, useRef, useState } from 'react';

/**
 * Runs `work` now and again `interval` ms after each run has ended, never two at once, not while the page is hidden,
 * and at once when it is shown again.  Returns a function that runs it now.
 */
export function usePoll(
  work: (signal: AbortSignal) => Promise<void>,
  interval: number,
  active = true,
  generation = 0,
): () => void {
  const kick = useRef<() => void>(() => undefined);
  useEffect(() => {
    if (!active) return;
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    let again = false;
    const run = async (): Promise<void> => {
      if (running) {
        again = true;
        return;
      }
      clearTimeout(timer);
      running = true;
      do {
        again = false;
        await work(controller.signal);
      } while (again && !controller.signal.aborted);
      running = false;
      if (!controller.signal.aborted && !document.hidden) timer = setTimeout(() => void run(), interval);
    };
    const shown = (): void => {
      if (!document.hidden) void run();
    };
    kick.current = () => void run();
    document.addEventListener('visibilitychange', shown);
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', shown);
      kick.current = () => undefined;
    };
  }, [work, interval, active, generation]);
  return useCallback(() => kick.current(), []);
}

/** Draws the component again every `interval` ms. */
export function useTick(interval: number): void {
  const [, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((tick) => tick + 1), interval);
    return () => clearInterval(timer);
  }, [interval]);
}
