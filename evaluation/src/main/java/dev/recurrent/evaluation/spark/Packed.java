package dev.recurrent.evaluation.spark;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.InflaterInputStream;

/**
 * Objects as they travel: serialised by Java whatever serialiser Spark is set to, since Kryo knows
 * neither records nor immutable lists; and compressed, since most of a tally is zeros.
 */
final class Packed {

    private Packed() {}

    static byte[] of(Serializable object) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Deflater fast = new Deflater(Deflater.BEST_SPEED);
        try (ObjectOutputStream out =
                new ObjectOutputStream(new DeflaterOutputStream(bytes, fast))) {
            out.writeObject(object);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            fast.end();
        }
        return bytes.toByteArray();
    }

    /**
     * Returns what was packed.
     *
     * @param packed made here, by this program on another machine
     * @param type of it
     */
    static <T> T open(byte[] packed, Class<T> type) {
        try (ObjectInputStream in =
                new ObjectInputStream(new InflaterInputStream(new ByteArrayInputStream(packed)))) {
            return type.cast(in.readObject());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException("Machines run different versions", e);
        }
    }
}
