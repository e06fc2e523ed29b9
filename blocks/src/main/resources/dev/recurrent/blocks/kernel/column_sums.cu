// Sums over the rows of a matrix, in a fixed order: sums[c] = matrix[0, c] + ... in fp32.
//
// Constants: GROUPS (of rows, summed side by side).
// Grid: enough blocks for all columns. Block: 32, GROUPS.

extern "C" __global__ void __launch_bounds__(32 * GROUPS) column_sums(
        const float* __restrict__ matrix, float* __restrict__ sums, long long rows, int columns) {
    __shared__ float ofGroups[GROUPS][32];
    const int column = blockIdx.x * 32 + threadIdx.x;
    float sum = 0;
    if (column < columns) {
#pragma unroll 8
        for (long long row = threadIdx.y; row < rows; row += GROUPS) {
            sum += matrix[row * columns + column];
        }
    }
    ofGroups[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        float total = 0;
        for (int group = 0; group < GROUPS; ++group) {
            total += ofGroups[group][threadIdx.x];
        }
        sums[column] = total;
    }
}
