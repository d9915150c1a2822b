const KEY = 'token';

let token: string | null = null;
try {
  token = sessionStorage.getItem(KEY);
} catch {
  // Storage is blocked: the token lives as long as the page.
}

export function currentToken(): string | null {
  return token;
}

/** Kept for this tab only; a closed tab forgets it. */
export function rememberToken(value: string): void {
  token = value;
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    // See above.
  }
}
