// The first member of libtext.a.
void *memset(void *target, int what, unsigned long size);

char *repeat(char *target, char what, unsigned times) {
  memset(target, what, times);
  target[times] = 0;
  return target;
}
