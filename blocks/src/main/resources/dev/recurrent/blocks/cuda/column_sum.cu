// The sums of the columns of a float32 matrix [rows, columns]. A block has 32 columns; its warps
// take every WARPS-th row each, and are then added in their order, so that equal inputs give equal
// bits. Grid: enough blocks for all columns. Block: 32, WARPS.
//
// Constants: WARPS.

constexpr int LANES = 32;

extern "C" __global__ void __launch_bounds__(LANES * WARPS) column_sum(
        const float* __restrict__ matrix, float* __restrict__ sums, int rows, int columns) {
    __shared__ float parts[WARPS][LANES];
    const int column = blockIdx.x * LANES + threadIdx.x;
    float sum = 0;
    if (column < columns) {
#pragma unroll 8
        for (int row = threadIdx.y; row < rows; row += WARPS) {
            sum += matrix[(long long)row * columns + column];
        }
    }
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (int warp = 1; warp < WARPS; ++warp) {
            sum += parts[warp][threadIdx.x];
        }
        sums[column] = sum;
    }
}
