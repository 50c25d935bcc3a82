import { PosternError } from '@postern/api';
import type { RawConnection } from '#raw-call/raw-connection.ts';
import { receiveMessages } from '#raw-call/raw-call.ts';

interface Method<Req, Res> {
  readonly path: string;
  readonly requestSerialize: (value: Req) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Res;
}

/** One request, one answer, over a connection of one's own; rejects with a PosternError, the server's own where it sent one. */
export function callUnaryOver<Req, Res>(
  connection: RawConnection,
  method: Method<Req, Res>,
  request: Req,
  { deadlineMs }: { readonly deadlineMs: number },
): Promise<Res> {
  return new Promise((resolve, reject) => {
    const call = connection.open(method.path);
    const late = () => {
      reject(new PosternError('unavailable', `${method.path} was not answered in ${deadlineMs / 1000} s`));
      call.reset();
    };
    const timer = setTimeout(late, deadlineMs);
    let answer: Buffer | undefined;
    receiveMessages(call, {
      message: (bytes) => (answer = bytes),
      over(error) {
        clearTimeout(timer);
        if (error !== undefined) return reject(error);
        if (answer === undefined) return reject(new PosternError('unavailable', `${method.path} ended without an answer`));
        try {
          resolve(method.responseDeserialize(answer));
        } catch (cause) {
          reject(new PosternError('unavailable', `${method.path} was answered with something that is no answer`, { cause }));
        }
      },
    });
    call.write(method.requestSerialize(request));
    call.end();
  });
}
