/** An upload with its progress: the file itself as the body, the quickest way into the service. */

import { address, headers, part, Problem } from "./api.js";

/**
 * @param {File} file
 * @param {Record<string, string>} fields How it is scored.
 * @param {(share: number) => void} onProgress 0 to 1.
 * @returns {{done: Promise<import("./types.js").Job>, cancel: () => void}}
 */
export function upload(file, fields, onProgress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    const chosen = new URLSearchParams(Object.entries(fields).filter(([, value]) => value));
    request.open("PUT", address(`v1/videos/${part(file.name)}?${chosen}`));
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(request.response);
      else reject(new Problem(request.status, request.response?.detail ?? `The service answered ${request.status}.`));
    };
    request.onerror = () => reject(new Problem(0, "The connection broke while the file was sent."));
    request.onabort = () => reject(new Problem(0, "Cancelled."));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}
