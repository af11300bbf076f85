// What small programs have and the synthetic ones do not: jump tables, floating-point constants, differences of addresses, frames that
// compact unwind information cannot tell, a debug map of DWARF. Never run.
typedef unsigned long size;
extern int puts(const char *);
extern double sin(double);
extern void *memcpy(void *, const void *, size);
extern int counter;

int shared, zeroed[4];
static int state = 3;
const double table[] = {1.5, 2.5, 3.5};
static const char *const names[] = {"one", "two", "three"};

__attribute__((weak)) int weak(int x) { return x + 1; }

int pick(int x, const char *text) {
  switch (x) {
  case 0: return puts("zero");
  case 1: return puts(text) + state;
  case 2: return shared++ + weak(x);
  case 3: return counter - 7;
  case 4: return puts(names[state & 1]);
  case 5: return zeroed[x & 3] * 5;
  case 6: return (int)sin(x);
  default: return x;
  }
}

double scale(double x, float y) { return x * 3.14159 + y * 2.71828f + table[(int)x & 1]; }

typedef unsigned long wide __attribute__((vector_size(16)));
void mix(wide *x) { *x = (*x ^ (wide){0x0123456789abcdefUL, 0xfedcba9876543210UL}) + (wide){81985529216486895UL, 5}; }

int frame(int count, const char *text) {
  // Compact unwind information has no room for it.
  __asm__ volatile(".cfi_escape 0x2e, 0x10");
  char buffer[0x20000], copy[count];
  memcpy(buffer, text, sizeof buffer);
  memcpy(copy, buffer, count);
  return copy[count - 1] + pick(count, copy);
}

const void *jump(int x) {
  static const int offsets[] = {&&first - &&first, &&second - &&first};
  goto *(&&first + offsets[x & 1]);
first:
  return names;
second:
  return &state;
}
