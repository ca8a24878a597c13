/** Those that kube-apiserver signs have about 1 KiB; Node takes heads of HTTP up to 16 KiB. */
const MAX_TOKEN = 8192;

/** One line of characters that a head of HTTP may hold (RFC 6750 2.1, "b64token"). */
export function tokenIn(text: string): string | undefined {
  const token = text.trim();
  return token.length <= MAX_TOKEN && /^[A-Za-z0-9._~+/-]+=*$/.test(token) ? token : undefined;
}
