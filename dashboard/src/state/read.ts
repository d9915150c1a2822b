import { useCallback, useState } from 'react';
import type { Dispatch, SetStateAction } from 'react';
import { ApiError } from '../lib/http';
import { usePoll } from './poll';
import { failureOf } from './service';

interface Reading<T> {
  value: T | null;
  set: Dispatch<SetStateAction<T | null>>;
  /** Why the last read failed; empty when it did not. */
  problem: string;
  /** The service knows nothing of this name, or has no such route. */
  missing: boolean;
  refresh: () => void;
}

/** Reads now and every `interval` ms; what was read last stays while a read fails.  `work` must be stable. */
export function useRead<T>(work: (signal: AbortSignal) => Promise<T>, interval: number, active = true): Reading<T> {
  const [value, set] = useState<T | null>(null);
  const [failure, setFailure] = useState({ problem: '', missing: false });
  const read = useCallback(
    async (signal: AbortSignal) => {
      try {
        set(await work(signal));
        setFailure({ problem: '', missing: false });
      } catch (error) {
        if (signal.aborted) return;
        const missing = error instanceof ApiError && error.status === 404;
        setFailure({ problem: failureOf(error).detail, missing });
      }
    },
    [work],
  );
  const refresh = usePoll(read, interval, active);
  return { value, set, ...failure, refresh };
}
