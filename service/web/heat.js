/** The heat map as it lies over a picture: clear where all is as learned, through yellow to red where it is not. */

const LEAST = 70; // grey level from which on anything is shown; 128 is the threshold

const TABLE = (() => {
  const table = new Uint8ClampedArray(256 * 4);
  for (let level = LEAST; level < 256; level++) {
    const over = Math.min(1, (level - LEAST) / (190 - LEAST));
    table[level * 4] = 255;
    table[level * 4 + 1] = 225 * (1 - over);
    table[level * 4 + 2] = 30 * (1 - over);
    table[level * 4 + 3] = 60 + 195 * over;
  }
  return table;
})();

const small = document.createElement("canvas");
const reading = /** @type {CanvasRenderingContext2D} */ (small.getContext("2d", { willReadFrequently: true }));

/**
 * Draws grey levels as colours over a whole canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {ImageBitmap | HTMLImageElement} grey One pixel a cell; 255·error/(error + threshold).
 * @param {number} [linear] The level of the threshold, if levels rise in step with the error instead.
 */
export function drawHeat(canvas, grey, linear = 0) {
  const [width, height] = [grey.width, grey.height];
  if (!width || !height) return;
  small.width = width;
  small.height = height;
  reading.drawImage(grey, 0, 0);
  const pixels = reading.getImageData(0, 0, width, height);
  const { data } = pixels;
  for (let n = 0; n < data.length; n += 4) {
    const level = 4 * (linear ? Math.round((255 * data[n]) / (data[n] + linear)) : data[n]);
    data[n] = TABLE[level];
    data[n + 1] = TABLE[level + 1];
    data[n + 2] = TABLE[level + 2];
    data[n + 3] = TABLE[level + 3];
  }
  reading.putImageData(pixels, 0, 0);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  if (canvas.width !== width * 8 || canvas.height !== height * 8) {
    canvas.width = width * 8;
    canvas.height = height * 8;
  }
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
