#include <vector>

#include "module.hpp"

namespace nb = nanobind;

namespace neurafield {
namespace {

using Integers = nb::ndarray<std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using ConstIntegers = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using LevelArray = nb::ndarray<const std::int64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

// Columns of a level: kind, offset, size, cells of 4 axes, tile of 4 axes.
constexpr std::size_t kColumns = 11;
constexpr std::int64_t kMostCells = std::int64_t{1} << 24;
constexpr std::int64_t kMostRows = std::int64_t{1} << 40;
constexpr std::int64_t kMostPoints = std::int64_t{1} << 40;

GridLevel read_level(const std::int64_t* column, int dim) {
  require(column[0] >= 0 && column[0] <= static_cast<int>(GridKind::Indexed), "grid: kind");
  GridLevel level = {static_cast<GridKind>(column[0]), column[1], column[2], {}, {}, nullptr};
  require(level.size >= 1 && level.size <= kMostRows, "grid: size of a level");
  require(level.kind == GridKind::Dense || level.size <= std::int64_t{1} << 32,
          "grid: rows of a tiled or hashed level");
  std::int64_t rows = 1;
  for (int a = 0; a < dim; ++a) {
    level.cells[a] = column[3 + a];
    level.tile[a] = column[7 + a];
    require(level.cells[a] >= 1 && level.cells[a] <= kMostCells, "grid: cells");
    require(level.tile[a] >= 1 && level.tile[a] <= level.cells[a] + 1, "grid: tile");
    require((level.kind != GridKind::Dense && level.kind != GridKind::Indexed) ||
                level.tile[a] == level.cells[a] + 1,
            "grid: tile of a dense or indexed level");
    if (level.kind == GridKind::Hashed) continue;
    const bool indexed = level.kind == GridKind::Indexed;
    require(rows <= (indexed ? kMaxIndexedVertices : level.size) / level.tile[a],
            "grid: size of a level");
    rows *= level.tile[a];
  }
  if (level.kind == GridKind::Hashed)
    require((level.size & (level.size - 1)) == 0, "grid: size of a level");
  else if (level.kind == GridKind::Indexed)
    require(level.size <= rows, "grid: size of a level");
  else
    require(level.size == rows, "grid: size of a level");
  return level;
}

std::int64_t num_vertices(const GridLevel& level, int dim) {
  std::int64_t vertices = 1;
  for (int a = 0; a < dim; ++a) vertices *= level.tile[a];
  return vertices;
}

std::size_t num_words(const GridLevel& level, int dim) {
  return static_cast<std::size_t>((num_vertices(level, dim) + 63) / 64);
}

// The vertices that the indexed levels of a grid store, checked once and private from then on.
struct Index {
  std::vector<std::vector<GridWord>> words;  // per level; empty if it is not indexed
  std::vector<std::int64_t> stored;

  // `keys` has one entry per row of the table: the indices of the vertices of indexed levels,
  // row-major within a level, level by level, ascending.
  Index(const LevelArray& columns, int dim, const ConstIntegers& keys) {
    require(dim >= 1 && dim <= 4 && columns.shape(1) == kColumns, "grid: levels");
    std::int64_t offset = 0, first = 0;
    for (std::size_t l = 0; l < columns.shape(0); ++l) {
      const GridLevel level = read_level(columns.data() + l * kColumns, dim);
      require(level.offset == offset &&
                  level.size <= static_cast<std::int64_t>(keys.shape(0)) - offset,
              "grid: number of keys");
      offset += level.size;
      words.emplace_back();
      stored.push_back(level.size);
      if (level.kind != GridKind::Indexed) continue;
      words.back().resize(num_words(level, dim));
      mark(words.back(), keys.data() + level.offset, level.size, first, num_vertices(level, dim));
      first += num_vertices(level, dim);
    }
  }

  static void mark(std::vector<GridWord>& words, const std::int64_t* keys, std::int64_t count,
                   std::int64_t first, std::int64_t vertices) {
    for (std::int64_t i = 0; i < count; ++i) {
      require(keys[i] >= first && keys[i] - first < vertices, "grid: keys of a level's vertices");
      require(i == 0 || keys[i] > keys[i - 1], "grid: keys in ascending order");
      const std::int64_t vertex = keys[i] - first;
      words[static_cast<std::size_t>(vertex / 64)].stored |= std::uint64_t{1} << vertex % 64;
    }
    std::uint64_t before = 0;
    for (GridWord& word : words) {
      word.before = before;
      before += static_cast<std::uint64_t>(__builtin_popcountll(word.stored));
    }
  }
};

// The description of a grid, with the memory behind its pointer.
struct Description {
  std::vector<GridLevel> levels;
  Grid grid;
  std::int64_t num_rows = 0;

  Description(const LevelArray& columns, bool smooth, int threads, const ConstFloats& x,
              std::size_t features, const Index* index, bool added) {
    require(x.ndim() == 2 && x.shape(1) >= 1 && x.shape(1) <= 4, "grid: shape of x");
    require(x.shape(0) <= kMostPoints, "grid: number of points");
    require(features == 1 || features == 2 || features == 4 || features == 8, "grid: features");
    require(columns.shape(0) >= 1 && columns.shape(0) <= kMaxGridLevels &&
                columns.shape(1) == kColumns,
            "grid: levels");
    require(threads >= 1 && threads <= 4096, "grid: threads");
    const int dim = static_cast<int>(x.shape(1));
    for (std::size_t l = 0; l < columns.shape(0); ++l) {
      levels.push_back(read_level(columns.data() + l * kColumns, dim));
      require(levels.back().offset == num_rows, "grid: offset of a level");
      num_rows += levels.back().size;
      if (levels.back().kind == GridKind::Indexed) add_index(levels.back(), index, l, dim);
    }
    grid = {static_cast<std::int64_t>(x.shape(0)),
            dim,
            static_cast<int>(features),
            static_cast<int>(levels.size()),
            levels.data(),
            smooth,
            added,
            threads};
  }

  static void add_index(GridLevel& level, const Index* index, std::size_t l, int dim) {
    require(index && l < index->words.size() && index->words[l].size() == num_words(level, dim) &&
                index->stored[l] == level.size,
            "grid: index that fits the levels");
    level.words = index->words[l].data();
    // All vertices are stored in order, so no search is needed.
    if (level.size == num_vertices(level, dim)) level.kind = GridKind::Dense;
  }

  void require_table(std::size_t ndim, std::size_t rows) const {
    require(ndim == 2 && static_cast<std::int64_t>(rows) == num_rows, "grid: shape of the table");
  }

  void require_values(const ConstFloats& y) const {
    const int parts = grid.added ? 1 : grid.num_levels;
    require(y.ndim() == 2 && static_cast<std::int64_t>(y.shape(0)) == grid.num_points &&
                static_cast<int>(y.shape(1)) == parts * grid.features,
            "grid: shape of the features");
  }
};

std::size_t last_axis(std::size_t ndim, const std::int64_t* shape) {
  require(ndim == 2, "grid: shape of the table");
  return static_cast<std::size_t>(shape[1]);
}

void forward(const LevelArray& levels, bool smooth, int threads, const ConstFloats& table,
             const ConstFloats& x, const Floats& y, const Index* index, bool added) {
  const Description d(levels, smooth, threads, x, last_axis(table.ndim(), table.shape_ptr()),
                      index, added);
  d.require_table(table.ndim(), table.shape(0));
  d.require_values(ConstFloats(y));
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_forward(d.grid, table.data(), x.data(), y.data());
}

void backward_table(const LevelArray& levels, bool smooth, int threads, const ConstFloats& x,
                    const ConstFloats& grad_y, const Floats& grad_table, const Index* index,
                    bool added) {
  const Description d(levels, smooth, threads, x,
                      last_axis(grad_table.ndim(), grad_table.shape_ptr()), index, added);
  d.require_table(grad_table.ndim(), grad_table.shape(0));
  d.require_values(grad_y);
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_backward_table(d.grid, x.data(), grad_y.data(), grad_table.data());
}

// A row and a corner index share 64 bits while they are sorted.
int bits(std::int64_t count) {
  int length = 0;
  while ((count - 1) >> length) ++length;
  return length;
}

std::int64_t backward_touched(const LevelArray& levels, bool smooth, int threads,
                              const ConstFloats& x, const ConstFloats& grad_y,
                              const Integers& rows, const Floats& grad_rows, const Index* index,
                              bool added) {
  const Description d(levels, smooth, threads, x,
                      last_axis(grad_rows.ndim(), grad_rows.shape_ptr()), index, added);
  d.require_values(grad_y);
  if (d.grid.num_points == 0) return 0;
  const std::int64_t corners = d.grid.num_points << d.grid.dim;
  std::int64_t most = 0;
  for (const GridLevel& level : d.levels) {
    require(bits(level.size) + bits(corners) <= 64, "grid: number of points");
    most += level.size < corners ? level.size : corners;
  }
  require(static_cast<std::int64_t>(rows.shape(0)) >= most &&
              static_cast<std::int64_t>(grad_rows.shape(0)) >= most,
          "grid: room for the rows");
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  return kernels.grid_backward_touched(d.grid, x.data(), grad_y.data(), rows.data(),
                                       grad_rows.data());
}

void backward_coords(const LevelArray& levels, bool smooth, int threads, const ConstFloats& table,
                     const ConstFloats& x, const ConstFloats& grad_y, const Floats& grad_x,
                     const Index* index, bool added) {
  const Description d(levels, smooth, threads, x, last_axis(table.ndim(), table.shape_ptr()),
                      index, added);
  d.require_table(table.ndim(), table.shape(0));
  d.require_values(grad_y);
  require(grad_x.ndim() == 2 && grad_x.shape(0) == x.shape(0) && grad_x.shape(1) == x.shape(1),
          "grid: shape of grad_x");
  const Kernels& kernels = active_kernels();
  nb::gil_scoped_release release;
  kernels.grid_backward_coords(d.grid, table.data(), x.data(), grad_y.data(), grad_x.data());
}

}  // namespace

void bind_grid(nb::module_& module) {
  using namespace nb::literals;
  // Never converted: results written into a converted copy would be lost.
  const auto array = [](const char* name) { return nb::arg(name).noconvert(); };
  const auto index = nb::arg("index").none() = nb::none();
  const auto added = nb::arg("added") = false;
  nb::class_<Index>(module, "GridIndex")
      .def(nb::init<const LevelArray&, int, const ConstIntegers&>(), array("levels"), "dim"_a,
           array("keys"));
  module.def("grid_forward", &forward, array("levels"), "smooth"_a, "threads"_a, array("table"),
             array("x"), array("y"), index, added);
  module.def("grid_backward_table", &backward_table, array("levels"), "smooth"_a, "threads"_a,
             array("x"), array("grad_y"), array("grad_table"), index, added);
  module.def("grid_backward_touched", &backward_touched, array("levels"), "smooth"_a, "threads"_a,
             array("x"), array("grad_y"), array("rows"), array("grad_rows"), index, added);
  module.def("grid_backward_coords", &backward_coords, array("levels"), "smooth"_a, "threads"_a,
             array("table"), array("x"), array("grad_y"), array("grad_x"), index, added);
}

}  // namespace neurafield
