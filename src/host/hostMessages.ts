// What the C library says for the errors that hosts report; ld64.lld prints these texts.
const TEXTS: Readonly<Record<string, string>> = {
  ENOENT: 'No such file or directory',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  EEXIST: 'File exists',
  EPERM: 'Operation not permitted',
  EROFS: 'Read-only file system',
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EBUSY: 'Device or resource busy',
  EMFILE: 'Too many open files',
  ENFILE: 'Too many open files in system',
  ENAMETOOLONG: 'File name too long',
  ELOOP: 'Too many levels of symbolic links',
  EIO: 'Input/output error',
  EFBIG: 'File too large',
  EPIPE: 'Broken pipe',
  EXDEV: 'Invalid cross-device link',
}

/** The text for an error code, or `fallback` for one that is not in the table. */
export function errorText(code: string, fallback: string): string {
  return TEXTS[code] ?? fallback
}
