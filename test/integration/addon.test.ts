import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { verify } from '../../src/node.ts'
import { compile } from '../helpers/clang.ts'
import { linkFor } from '../helpers/colonnade.ts'
import { mustRun } from '../helpers/command.ts'
import { verifyImage, runImage } from '../helpers/run.ts'
import { forEachTarget } from '../helpers/targets.ts'

const ADDON = `
typedef struct napi_env__ *napi_env; typedef struct napi_value__ *napi_value;
int napi_create_int32(napi_env, int, napi_value *); int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value value; napi_create_int32(env, 42, &value); napi_set_named_property(env, exports, "answer", value); return exports;
}`

const HOST = `
#include "t.h"
int napi_create_int32(void *e, int v, void **r) { *r = (void *)(long)v; return 0; }
int napi_set_named_property(void *e, void *o, const char *n, void *v) { printf("%s = %d\\n", n, (int)(long)v); return 0; }
int main(int c, char **v) { void *h = dlopen(v[1], 2); if (!h) { printf("no %s\\n", dlerror()); return 1; }
  void *(*f)(void *, void *) = dlsym(h, "napi_register_module_v1"); f(0, 0); return 0; }`

forEachTarget((target) => {
  test(`a Node native addon is a bundle whose N-API names are looked up in the process that loads it (${target.name})`, () => {
    const addon = linkFor(
      target,
      ['-bundle', '-undefined', 'dynamic_lookup', compile(target.arch, ADDON, { name: 'addon' })],
      'addon.node',
    )
    verifyImage(target, addon)
    assert.deepEqual(
      verify(new Uint8Array(readFileSync(addon))).filter((message) => message.severity === 'error'),
      [],
    )
    const undefinedNames = mustRun('llvm-nm-22', ['-m', addon])
    assert.match(undefinedNames, /\(undefined\) external _napi_create_int32 \(dynamically looked up\)/)
    const host = linkFor(target, ['-export_dynamic', compile(target.arch, HOST, { name: 'host' })], 'host')
    assert.equal(runImage(target, host, [addon]).stdout, 'answer = 42\n')
  })
})
