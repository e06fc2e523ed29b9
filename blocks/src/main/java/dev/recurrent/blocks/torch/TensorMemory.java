package dev.recurrent.blocks.torch;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.sun.jna.Pointer;

/** Where the elements of tensors lie, for code that reads or writes them by address. */
public final class TensorMemory {

    private TensorMemory() {}

    /**
     * Views host memory as a CPU tensor without copying. The memory must outlive the tensor.
     *
     * @param manager the manager that will own the tensor, not the memory
     * @param address where the first element lies
     * @param shape the tensor's shape, row-major
     * @param type the element type
     * @return the view
     * @throws TorchException if libtorch refuses the call
     */
    public static NDArray fromMemory(
            NDManager manager, long address, Shape shape, ScalarType type) {
        long[] sizes = shape.getShape();
        long[] tensor = new long[1];
        Torch.check(
                LibTorch.aoti_torch_create_tensor_from_blob(
                        address,
                        sizes.length,
                        sizes,
                        Torch.rowMajorStrides(sizes),
                        0,
                        type.code(),
                        Torch.CPU,
                        0,
                        tensor),
                "aoti_torch_create_tensor_from_blob");
        return Torch.wrap(manager, tensor[0]);
    }

    /**
     * Returns the address of a tensor's first element, on the host or on its device.
     *
     * @param array a dense tensor
     * @return the address
     * @throws TorchException if libtorch refuses the call
     */
    public static long address(NDArray array) {
        long[] pointer = new long[1];
        Torch.check(
                LibTorch.aoti_torch_get_data_ptr(Torch.handle(array), pointer),
                "aoti_torch_get_data_ptr");
        return pointer[0];
    }

    /**
     * Returns how many elements apart neighbours along each axis lie.
     *
     * @param array a dense tensor
     * @return one for each axis; of no meaning where the size is 1
     * @throws TorchException if libtorch refuses the call
     */
    public static long[] strides(NDArray array) {
        int dimensions = array.getShape().dimension();
        if (dimensions == 0) {
            return new long[0];
        }
        long[] pointer = new long[1];
        Torch.check(
                LibTorch.aoti_torch_get_strides(Torch.handle(array), pointer),
                "aoti_torch_get_strides");
        return new Pointer(pointer[0]).getLongArray(0, dimensions);
    }

    /**
     * Returns whether the elements lie row by row in memory, without gaps.
     *
     * @param array a dense tensor
     * @return as PyTorch's {@code is_contiguous}
     * @throws TorchException if libtorch refuses the call
     */
    public static boolean isContiguous(NDArray array) {
        long[] sizes = array.getShape().getShape();
        long[] strides = strides(array);
        long expected = 1;
        for (int i = sizes.length - 1; i >= 0; i--) {
            // Where there is one element, no step is taken.
            if (sizes[i] != 1 && strides[i] != expected) {
                return array.size() == 0;
            }
            expected *= sizes[i];
        }
        return true;
    }
}
