package dev.recurrent.tests.training.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import ai.djl.ndarray.NDManager;
import ai.djl.training.dataset.Batch;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.training.data.Corpus;
import dev.recurrent.training.data.DataCursor;
import dev.recurrent.training.data.DataException;
import dev.recurrent.training.data.ResumableDataset;
import dev.recurrent.training.data.Texts;
import dev.recurrent.training.data.TokenWindows;
import dev.recurrent.training.metric.Labels;
import dev.recurrent.zoo.text.ByteTokenizer;
import dev.recurrent.zoo.text.TextDecoder;
import dev.recurrent.zoo.text.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TokenWindowsTest {

    @TempDir Path folder;
    private NDManager manager;

    @BeforeEach
    void open() {
        manager = NDManager.newBaseManager();
    }

    @AfterEach
    void close() {
        manager.close();
    }

    /** Bytes that tell where they stand: 0, 1, 2 … 126, 0, … */
    private Corpus counting(int size) throws Exception {
        byte[] bytes = new byte[size];
        for (int i = 0; i < size; i++) {
            bytes[i] = (byte) (i % 127);
        }
        Path file = Files.write(folder.resolve("counting.txt"), bytes);
        return Corpus.of(Texts.of(file, "text"), new ByteTokenizer());
    }

    private static TokenWindows.Builder windows(Corpus corpus, int batch, int length) {
        return TokenWindows.builder().setCorpus(corpus).setBatch(batch).setLength(length);
    }

    private long[] ids(Batch batch) {
        return batch.getData().get(0).toLongArray();
    }

    private long[] labels(Batch batch) {
        return batch.getLabels().get(0).toLongArray();
    }

    @ParameterizedTest
    @CsvSource({"100, 2, 7", "101, 3, 10", "8, 4, 7", "64, 1, 63", "500, 5, 1"})
    void everyTokenIsPredictedOnceInReadingOrder(int size, int batch, int length) throws Exception {
        try (Corpus corpus = counting(size)) {
            List<Long> predicted = new ArrayList<>();
            for (Batch rows : windows(corpus, batch, length).buildReading().getData(manager)) {
                try (rows) {
                    long[] ids = ids(rows);
                    long[] labels = labels(rows);
                    for (int i = 0; i < labels.length; i++) {
                        if (labels[i] != Labels.IGNORED) {
                            assertThat(labels[i]).isEqualTo((ids[i] + 1) % 127);
                            predicted.add(labels[i]);
                        }
                    }
                }
            }
            List<Long> expected = new ArrayList<>();
            for (int i = 1; i < size; i++) {
                expected.add((long) (i % 127));
            }
            assertThat(predicted).isEqualTo(expected);
        }
    }

    @Test
    void trainingGoesThroughAllWindowsInAnotherOrderEachEpoch() throws Exception {
        try (Corpus corpus = counting(130)) {
            TokenWindows data = windows(corpus, 3, 10).optSeed(5).buildTraining();
            assertThat(data.batches()).isEqualTo(4);
            List<List<Long>> epochs = new ArrayList<>();
            for (int epoch = 0; epoch < 3; epoch++) {
                List<Long> starts = new ArrayList<>();
                for (Batch batch : data.getData(manager)) {
                    try (batch) {
                        long[] ids = ids(batch);
                        long[] labels = labels(batch);
                        for (int row = 0; row < 3; row++) {
                            starts.add(ids[10 * row]);
                        }
                        for (int i = 0; i < ids.length; i++) {
                            assertThat(labels[i]).isEqualTo((ids[i] + 1) % 127);
                        }
                    }
                }
                // Twelve windows that do not overlap: starts ten apart from one phase on.
                assertThat(starts.stream().map(start -> start % 10).distinct()).hasSize(1);
                assertThat(starts).doesNotHaveDuplicates().hasSize(12);
                epochs.add(starts);
            }
            assertThat(epochs).doesNotHaveDuplicates();
        }
    }

    @Test
    void resumesInTheMiddleOfAnEpoch() throws Exception {
        try (Corpus corpus = counting(400)) {
            TokenWindows whole = windows(corpus, 4, 10).optSeed(9).buildTraining();
            List<long[]> expected = take(whole, 25);
            TokenWindows first = windows(corpus, 4, 10).optSeed(9).buildTraining();
            take(first, 13);
            DataCursor cursor = first.cursor();
            assertThat(cursor.epoch()).isEqualTo(1);
            TokenWindows second = windows(corpus, 4, 10).optSeed(9).buildTraining();
            second.seek(cursor);
            List<long[]> actual = take(second, 12);
            for (int i = 0; i < actual.size(); i++) {
                assertThat(actual.get(i)).isEqualTo(expected.get(13 + i));
            }
            TokenWindows other = windows(corpus, 4, 10).optSeed(10).buildTraining();
            assertThat(take(other, 1).get(0)).isNotEqualTo(expected.get(0));
        }
    }

    private List<long[]> take(ResumableDataset data, int count) {
        List<long[]> taken = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            try (Batch batch = data.next(manager)) {
                taken.add(ids(batch));
            }
        }
        return taken;
    }

    @Test
    void documentsAreKeptApart() throws Exception {
        Path file = folder.resolve("documents.jsonl");
        Files.writeString(
                file, "{\"text\": \"abc\"}\n\n{\"text\": \"d\", \"x\": 1}\n{\"text\": \"efgh\"}\n");
        try (Corpus corpus = Corpus.of(Texts.of(file, "text"), new ByteTokenizer())) {
            assertThat(corpus.size()).isEqualTo(8);
            TokenWindows data = windows(corpus, 2, 4).optDocuments(true).buildReading();
            try (Batch batch = data.next(manager)) {
                long x = Labels.IGNORED;
                long p = Positions.PADDING;
                assertThat(ids(batch)).isEqualTo(new long[] {'a', 'b', 'c', 'd', 'e', 'f', 'g', 0});
                assertThat(labels(batch)).isEqualTo(new long[] {'b', 'c', x, x, 'f', 'g', 'h', x});
                assertThat(batch.getData().get(1).toLongArray())
                        .isEqualTo(new long[] {0, 1, 2, 0, 0, 1, 2, p});
            }
        }
    }

    @Test
    void bothPartsMakeUpTheWhole() throws Exception {
        try (Corpus corpus = counting(101)) {
            Corpus.Split split = corpus.split(0.9);
            assertThat(split.training().size()).isEqualTo(90);
            assertThat(split.validation().size()).isEqualTo(11);
            assertThat(split.training().read(0, 90)).isEqualTo(corpus.read(0, 90));
            assertThat(split.validation().read(0, 11)).isEqualTo(corpus.read(90, 11));
            assertThatThrownBy(() -> split.validation().read(5, 7))
                    .isInstanceOf(IndexOutOfBoundsException.class)
                    .hasMessageContaining("5 to 12 is not within 11 tokens");
        }
    }

    /** Long enough for several pieces, with characters of two bytes across their ends. */
    @Test
    void tokensInAFileAreThoseInMemory() throws Exception {
        String text = ("é".repeat(999) + "\n").repeat(300) + "ü".repeat(400_000);
        Path file = Files.writeString(folder.resolve("long.txt"), text);
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (int inMemory : new int[] {1 << 26, 1 << 17}) {
            try (Corpus corpus =
                    Corpus.of(Texts.of(file, "text"), new ByteTokenizer(), inMemory, folder)) {
                assertThat(corpus.size()).isEqualTo(bytes.length);
                long[] ids = corpus.read(0, bytes.length);
                for (int i = 0; i < ids.length; i++) {
                    if (ids[i] != Byte.toUnsignedLong(bytes[i])) {
                        throw new AssertionError("token " + i);
                    }
                }
                assertThat(corpus.read(bytes.length - 5, 5))
                        .isEqualTo(Arrays.copyOfRange(ids, bytes.length - 5, bytes.length));
            }
        }
        try (var files = Files.list(folder)) {
            assertThat(files).as("the file of tokens is gone").containsExactly(file);
        }
    }

    @Test
    void saysWhatIsWrongWithData() throws Exception {
        try (Corpus corpus = counting(64)) {
            assertThatThrownBy(() -> windows(corpus, 1, 64).buildTraining())
                    .isInstanceOf(DataException.class)
                    .hasMessageContaining("64 tokens to train on, but a window takes 65");
            assertThatThrownBy(() -> windows(corpus, 0, 8).buildTraining())
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("batch 0");
        }
        Path latin = Files.write(folder.resolve("latin.txt"), new byte[] {'a', (byte) 0xe9, 'b'});
        refuses(latin, "latin.txt is not UTF-8 text from byte 1");
        // An odd number of bytes before two-byte characters: one stands across a read's end.
        byte[] text = ("a" + "é".repeat(70_000)).getBytes(StandardCharsets.UTF_8);
        Files.write(latin, Arrays.copyOf(text, text.length - 1));
        refuses(latin, "from byte " + (text.length - 2));
        Path lines =
                Files.writeString(folder.resolve("a.jsonl"), "{\"text\": \"x\"}\n{\"text\": \n");
        refuses(lines, "a.jsonl, line 2: this is no JSON");
        Files.writeString(lines, "{\"txt\": \"x\"}\n");
        refuses(lines, "a.jsonl, line 1: an object with a text \"text\" is wanted");
        Files.writeString(lines, "{\"text\": 3}\n");
        refuses(lines, "a.jsonl, line 1: an object with a text \"text\" is wanted");
        Files.writeString(lines, "{'text': 'x'}\n");
        refuses(lines, "a.jsonl, line 1: this is no JSON");
        refuses(Files.writeString(folder.resolve("empty.txt"), ""), "empty.txt holds no text");
        refuses(folder.resolve("none.txt"), "There is no file or folder");
        refuses(Files.createDirectory(folder.resolve("sub")), "sub holds no text");
    }

    private static void refuses(Path path, String message) {
        assertThatThrownBy(() -> Corpus.of(Texts.of(path, "text"), new ByteTokenizer()))
                .isInstanceOf(DataException.class)
                .hasMessageContaining(message);
    }

    /** A tokenizer that opens every text with 300 and may end one with 302 or 301. */
    private static final class Framing implements Tokenizer {

        private final ByteTokenizer bytes = new ByteTokenizer();

        @Override
        public long[] encode(String text) {
            return LongStream.concat(LongStream.of(300), Arrays.stream(bytes.encode(text)))
                    .toArray();
        }

        @Override
        public String decode(long[] ids) {
            return bytes.decode(ids);
        }

        @Override
        public TextDecoder newDecoder() {
            return bytes.newDecoder();
        }

        @Override
        public long vocabulary() {
            return 303;
        }

        @Override
        public Set<Long> endOfText() {
            return Set.of(302L, 301L);
        }
    }

    /** Read in several pieces, a document is still opened and ended once. */
    @Test
    void documentsAreFramedOnce() throws Exception {
        int letters = 700_000;
        Path file = Files.writeString(folder.resolve("long.txt"), "a".repeat(letters));
        try (Corpus corpus = Corpus.of(Texts.of(file, "text"), new Framing())) {
            assertThat(corpus.size()).isEqualTo(letters + 2);
            assertThat(corpus.read(0, 2)).isEqualTo(new long[] {300, 'a'});
            assertThat(corpus.read(letters, 2)).isEqualTo(new long[] {'a', 301});
        }
    }

    @Test
    void foldersAreReadInOrder() throws Exception {
        Path sub = Files.createDirectories(folder.resolve("texts/b"));
        Files.writeString(sub.resolve("2.txt"), "two");
        Files.writeString(folder.resolve("texts/a.md"), "one");
        Files.writeString(folder.resolve("texts/c.jsonl"), "{\"text\": \"three\"}");
        Files.writeString(folder.resolve("texts/ignored.bin"), "no");
        try (Corpus corpus =
                Corpus.of(Texts.of(folder.resolve("texts"), "text"), new ByteTokenizer())) {
            byte[] expected = "onetwothree".getBytes(StandardCharsets.UTF_8);
            long[] ids = corpus.read(0, (int) corpus.size());
            assertThat(ids).hasSize(expected.length);
            for (int i = 0; i < ids.length; i++) {
                assertThat(ids[i]).isEqualTo(expected[i]);
            }
        }
    }
}
