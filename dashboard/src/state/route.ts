import { useEffect, useState } from 'react';
import { parseRoute } from '../lib/route';
import type { Route } from '../lib/route';

export function useRoute(): Route {
  const [hash, setHash] = useState(window.location.hash);
  useEffect(() => {
    const changed = (): void => setHash(window.location.hash);
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  return parseRoute(hash);
}

export function go(href: string): void {
  window.location.hash = href.replace(/^#/, '');
}
