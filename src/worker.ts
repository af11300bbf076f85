// The file that workers of the library run.
import { createNodeHost, serveWorker } from './host/node.ts'
import { serve } from './serve.ts'

serveWorker(serve(createNodeHost()))
