package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.TensorMemory;
import dev.recurrent.blocks.torch.Torch;
import java.io.EOFException;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/**
 * Moves tensors between a file and libtorch in pieces of a few megabytes, so that neither a
 * tensor's size nor its alignment in the file matters; libtorch converts the type on the way.
 *
 * <p>Pieces are read, not mapped: a mapped file that shrinks, or whose disk fails, kills the
 * process inside libtorch, where a read throws; and Java 17 cannot unmap a file that is to be
 * replaced. Not safe for concurrent use.
 */
final class PieceBuffer {

    /** Large enough to hide the cost of a call, small enough to stay in the processor's cache. */
    private static final int MAX_BYTES = 1 << 21;

    private final ByteBuffer buffer;
    private final long address;

    /**
     * Constructs a buffer.
     *
     * @param largest the size in the file of the largest tensor to come
     */
    PieceBuffer(long largest) {
        // At least one element of any type.
        long bytes = Math.max(Long.BYTES, Math.min(MAX_BYTES, largest));
        buffer = ByteBuffer.allocateDirect((int) bytes);
        address = Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
    }

    /**
     * Reads elements into a tensor.
     *
     * @param channel the file
     * @param position where the elements lie
     * @param type their type in the file, little-endian
     * @param target a dense tensor of one dimension that gradients do not flow through
     * @throws EOFException if the file ends first
     */
    void read(FileChannel channel, long position, ScalarType type, NDArray target)
            throws IOException {
        long next = position;
        try (Pieces pieces = new Pieces(target, type)) {
            while (pieces.next()) {
                buffer.clear().limit(pieces.bytes());
                while (buffer.hasRemaining()) {
                    int count = channel.read(buffer, next);
                    if (count < 0) {
                        throw new EOFException("The file ended at byte " + next);
                    }
                    next += count;
                }
                Torch.copyInto(pieces.tensor(), pieces.buffered());
            }
        }
        Reference.reachabilityFence(this);
    }

    /**
     * Appends a tensor's elements to a file.
     *
     * @param channel the file, written at its position
     * @param type their type in the file, little-endian
     * @param source a dense tensor of one dimension that gradients do not flow through
     */
    void write(FileChannel channel, ScalarType type, NDArray source) throws IOException {
        try (Pieces pieces = new Pieces(source, type)) {
            while (pieces.next()) {
                Torch.copyInto(pieces.buffered(), pieces.tensor());
                buffer.clear().limit(pieces.bytes());
                while (buffer.hasRemaining()) {
                    channel.write(buffer);
                }
            }
        }
        Reference.reachabilityFence(this);
    }

    /** Returns an array's elements in one dimension: a view if it is dense, else a copy. */
    static NDArray flatten(NDManager manager, NDArray array) {
        return Torch.call(manager, "aten::flatten.using_ints", array, 0, -1);
    }

    /** Walks over a tensor's pieces, each beside the buffer's view of the same length. */
    private final class Pieces implements AutoCloseable {

        private final NDArray flat;
        private final ScalarType type;
        private final long elements;
        private long end;
        private int length;
        private NDManager manager;

        Pieces(NDArray flat, ScalarType type) {
            this.flat = flat;
            this.type = type;
            elements = flat.getShape().size();
        }

        boolean next() {
            close();
            length = (int) Math.min(buffer.capacity() / type.bytes(), elements - end);
            if (length == 0) {
                return false;
            }
            end += length;
            manager = flat.getManager().newSubManager();
            return true;
        }

        int bytes() {
            return length * type.bytes();
        }

        NDArray tensor() {
            return Aten.narrow(manager, flat, 0, end - length, length);
        }

        NDArray buffered() {
            return TensorMemory.fromMemory(manager, address, new Shape(length), type);
        }

        @Override
        public void close() {
            if (manager != null) {
                manager.close();
                manager = null;
            }
        }
    }
}
