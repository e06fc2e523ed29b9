package dev.recurrent.zoo.checkpoint;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import com.google.gson.stream.JsonWriter;
import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.blocks.torch.Torch;
import java.io.IOException;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * The content of one safetensors file that is to be written.
 *
 * @param entries the tensors in the order of their bytes
 */
record SafetensorsLayout(List<Entry> entries) implements AtomicFiles.Content {

    /** The header is padded so that the data begins at a multiple of this. */
    private static final int ALIGNMENT = 8;

    /**
     * One tensor.
     *
     * @param name its name
     * @param type its element type in the file
     * @param slices its elements
     */
    record Entry(String name, ScalarType type, TensorSlices slices) {

        long bytes() {
            return slices.shape().size() * type.bytes();
        }
    }

    /** Orders wide types first, so that every tensor is aligned, and names within a type. */
    SafetensorsLayout {
        entries = new ArrayList<>(entries);
        entries.sort(
                Comparator.comparing((Entry entry) -> -entry.type().bytes())
                        .thenComparing(Entry::name));
    }

    /** Returns the size of the tensors in the file. */
    long bytes() {
        return entries.stream().mapToLong(Entry::bytes).sum();
    }

    @Override
    public void writeTo(FileChannel channel) throws IOException {
        ByteBuffer header = header();
        while (header.hasRemaining()) {
            channel.write(header);
        }
        PieceBuffer buffer =
                new PieceBuffer(entries.stream().mapToLong(Entry::bytes).max().orElse(0));
        for (Entry entry : entries) {
            for (NDArray part : entry.slices().parts()) {
                try (NDManager scratch = part.getManager().newSubManager()) {
                    NDArray leaf = Torch.detach(scratch, part);
                    buffer.write(channel, entry.type(), PieceBuffer.flatten(scratch, leaf));
                }
            }
        }
    }

    private ByteBuffer header() throws IOException {
        byte[] json = json().getBytes(StandardCharsets.UTF_8);
        int length = (json.length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        ByteBuffer header = ByteBuffer.allocate(Long.BYTES + length).order(ByteOrder.LITTLE_ENDIAN);
        header.putLong(length).put(json);
        while (header.hasRemaining()) {
            header.put((byte) ' ');
        }
        return header.flip();
    }

    private String json() throws IOException {
        StringWriter text = new StringWriter();
        JsonWriter json = new JsonWriter(text);
        json.beginObject();
        json.name(SafetensorsHeader.METADATA);
        json.beginObject();
        // transformers refuses files that do not say which framework's layout they have.
        json.name("format").value("pt");
        json.endObject();
        long offset = 0;
        for (Entry entry : entries) {
            json.name(entry.name());
            json.beginObject();
            json.name("dtype").value(Dtypes.name(entry.type()));
            json.name("shape").beginArray();
            for (long dimension : entry.slices().shape().getShape()) {
                json.value(dimension);
            }
            json.endArray();
            json.name("data_offsets").beginArray();
            json.value(offset);
            offset += entry.bytes();
            json.value(offset);
            json.endArray();
            json.endObject();
        }
        json.endObject();
        return text.toString();
    }
}
